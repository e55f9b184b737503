"""The warehouse: facts and verdicts of any number of databases become judged measurements, and those become cells."""
