"""The collector: takes bundles and databases from volunteers, checks everything, keeps the union, signs receipts."""
