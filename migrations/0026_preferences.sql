-- How a person wants the interface to show things, so that it follows them to another browser. JSON {"theme": "dark", "time_zone": "Asia/Tokyo",
-- "letter_shortcuts": true}, at most 200 bytes. Null: nothing was ever chosen.
alter table users add column preferences text;

-- down
alter table users drop column preferences;
