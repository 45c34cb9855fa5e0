"""The system under test: `inventory` describes it, `ansible` changes it, `probing` looks at it from outside."""
