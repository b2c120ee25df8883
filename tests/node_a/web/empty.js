// Telegram's script as it is where it says nothing.
