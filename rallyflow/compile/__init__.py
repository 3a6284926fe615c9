"""From a workflow file to a plan: read, check, expand, order. Pure but for reading the files it is given."""
