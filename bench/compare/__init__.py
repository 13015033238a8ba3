"""Two runs, or two targets of one run, laid side by side: what differs, by how much, and how sure that is."""
