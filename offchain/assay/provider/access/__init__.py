"""How a renter reaches what runs on its lease: requests, logins, SSH, notebooks, ports."""
