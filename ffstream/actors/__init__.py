"""Each layer a Ray actor. The only part of ffstream that imports ray."""
