"""Part I: what there is, where it is, and how it gets here safely."""
