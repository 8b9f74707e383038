# What was seen on days after a late event's day counts as well: the order of arrival does not decide about a quarantine.
rules device_id {fanout: 1}
d0 11:09 e1 email=c-5@example.com device_id=d-2
d-50 18:45 e2 email=c-2@example.com device_id=d-2
quarantined device_id=d-2
