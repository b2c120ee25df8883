"""Node A sells: the bot, the Mini App, payments, and the work that turns money into keys."""
