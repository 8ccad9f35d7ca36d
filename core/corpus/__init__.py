"""From files to documents and conversations: sniff, inspect, parse; then turns become exchanges."""
