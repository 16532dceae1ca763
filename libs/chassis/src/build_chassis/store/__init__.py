"""What every service's `store/` room stands on: the SQL engine and the MongoDB connection."""
