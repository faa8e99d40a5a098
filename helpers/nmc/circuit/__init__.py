"""Part V: synapses and small circuits."""
