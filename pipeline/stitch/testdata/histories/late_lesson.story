# What was seen on days after a late event's day does not count for it, and does not hide what was seen before.
rules device_id {fanout: 1}
d0 11:09 e1 email=c-5@example.com device_id=d-2
d-50 18:45 e2 email=c-2@example.com device_id=d-2
quarantined none
d40 10:00 e3 email=c-1@example.com device_id=d-2
quarantined device_id=d-2
