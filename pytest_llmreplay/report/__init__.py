"""What people read: failure texts, summaries, pages."""
