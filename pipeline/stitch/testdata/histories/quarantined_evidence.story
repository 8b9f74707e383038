# Evidence that is quarantined, then hands that move: the search for a leaf's person must end.
rules device_id {class: personal, limit: 1, normalise: trim, priority: 1, within: ''}
rules user_id {class: shared, fanout: 3, history: moves, limit: 2, normalise: trim, priority: 3}
d0 10:02 e1 card=c-5 user_id=u-3
d0 11:54 e7 device_id=d-1 card=c-5 order_id=o-1
d0 13:16 quarantine order_id=o-1
d0 19:04 e32 device_id=d-5 user_id=u-3
