"""Golden cases, outcomes, recordings and journals: Parquet files that no crash can break."""
