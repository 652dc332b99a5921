package windows

// Unread is unread, for tests over TCP.
var Unread = (*Host).unread
