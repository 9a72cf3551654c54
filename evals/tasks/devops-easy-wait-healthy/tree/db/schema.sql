create table events (id serial primary key, title text not null, seats integer not null check (seats >= 0));
create table orders (
    id serial primary key,
    event integer not null references events,
    seats integer not null check (seats > 0),
    mailed boolean not null default false
);
