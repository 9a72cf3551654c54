alter table entries add column hidden boolean not null default false;
