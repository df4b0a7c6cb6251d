"""Networks for tests, see ``zoo.zoo``."""
