"""Input of users: plain arrays or streams of them, validated and standardised."""
