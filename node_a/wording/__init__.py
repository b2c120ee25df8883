"""Every sentence that a customer reads, in Russian and English, for bot, web and worker alike."""
