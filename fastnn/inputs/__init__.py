"""What users pass: as plain arrays or streams of them, validated and standardised."""
