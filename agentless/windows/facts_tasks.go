package windows

// taskRows are the facts that host tasks read.
var taskRows = []FactRow{}
