"""What can be explained: error codes, exit codes, step types, keys of workflow files, filters, each as one `Topic`."""
