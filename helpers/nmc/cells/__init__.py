"""Part III: me-type models, their morphologies, mechanisms and simulations."""
