"""What stays of attributes that are not private: how much could at best, and how much a linear attacker reads."""
