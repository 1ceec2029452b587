package io.coord;

/** What has happened to a key. */
public record Change(boolean isDelete, KeyValue kv) {}
