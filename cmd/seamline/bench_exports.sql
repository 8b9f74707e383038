INSERT INTO {database}.profiles (profile_id, consent, country, version)
SELECT reinterpretAsUUID(sipHash128(number)), map('ads_user_data', 'granted', 'ads_personalization', 'granted'), 'DE', 1 FROM numbers({people});
INSERT INTO {database}.identifiers (identifier_id, namespace, profile_id, class, _batch)
SELECT number, if(number % 2 = 0, 'email', 'phone'), reinterpretAsUUID(sipHash128(intDiv(number, 2))), 'personal', 1 FROM numbers({people} * 2);
INSERT INTO {database}.contacts (identifier_id, kind, time, plain, google, uid2, _batch)
SELECT number, if(number % 2 = 0, 'email', 'phone'), toDateTime64('2026-09-01 12:00:00', 3, 'UTC'), SHA256(concat('customer-', toString(number))), SHA256(concat('google-', toString(number))), SHA256(concat('uid2-', toString(number))), 1
FROM numbers({people} * 2);
INSERT INTO {database}.audience_members (audience, profile_id, member, since, version)
SELECT 'everybody', reinterpretAsUUID(sipHash128(number)), 1, toDateTime64('2026-09-01 12:00:00', 3, 'UTC'), 1 FROM numbers({people});
INSERT INTO {database}.audience_members (audience, profile_id, member, since, version)
SELECT concat('audience_', toString(number % {audiences})), reinterpretAsUUID(sipHash128(number)), 1, toDateTime64('2026-09-01 12:00:00', 3, 'UTC'), 1 FROM numbers({people});
INSERT INTO {database}.audiences (audience, description, min_size, active, _batch)
SELECT if(number = {audiences}, 'everybody', concat('audience_', toString(number))), '', 0, 1, 1 FROM numbers({audiences} + 1);
INSERT INTO {database}.commits (pipeline, batch) SELECT 'main', 1;
OPTIMIZE TABLE {database}.profiles FINAL;
OPTIMIZE TABLE {database}.audience_members FINAL;
OPTIMIZE TABLE {database}.contacts FINAL;
OPTIMIZE TABLE {database}.identifiers FINAL;
