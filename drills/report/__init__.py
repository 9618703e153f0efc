"""The report of a drill: one page that needs no network, its text for a wiki, and the record itself."""
