"""The maker of the synthetic sample; it runs on maintainers' machines alone (``make sample``).

It writes a source tree with the files, names, layouts and units of the portal's, from a seed, and
puts it into the archive that the package ships.  Every number is invented, its truth is known
(`tools.sample.column`), and the few disagreements put in on purpose stand in ``planted.csv``.
"""

from pathlib import Path

import pandas as pd

#: Seed of the sample that the book is built with.
SEED = 2015

#: The animals of the individual instances; the sample holds one of the first.
ANIMALS = ("P14-13", "P14-14", "P14-15", "P14-16", "P14-17")

_LISTED = pd.read_csv(Path(__file__).with_name("models.csv"))

#: The packages of the sample: all eleven e-types, and what chapters and tests open.
MODELS = tuple(_LISTED["model"])

#: Models with a NeuroML2 version: five of the public conversion, and one of each other e-type.
NEUROML_MODELS = tuple(_LISTED.dropna().sort_values("neuroml")["model"])
