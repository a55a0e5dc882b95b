create table user (
    id integer primary key,
    name text not null unique collate nocase,
    password_hash text not null
);

create table post (
    id integer primary key,
    author_id integer not null references user (id),
    created text not null,
    updated text,
    title text not null,
    body text not null,
    image text
);

create index post_created on post (created desc, id desc);
