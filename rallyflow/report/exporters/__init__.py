"""One module for each `uses: report/...`."""
