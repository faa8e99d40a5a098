"""The synthetic portal: the only room that invents."""
