-- The time.  KEYS: any one, to find the server.
return belfry_now()
