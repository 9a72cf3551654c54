create table entries (id serial primary key, name text not null, text text not null);
