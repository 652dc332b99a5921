package cli

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// durations reads every flag that is a duration: "90s", "2m", or a bare number
// of seconds.
var durations = kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	t, err := ctx.Scan.PopValue("duration")
	if err != nil {
		return err
	}
	text := fmt.Sprint(t.Value)
	if d, err := time.ParseDuration(text); err == nil {
		target.SetInt(int64(d))
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%q is no duration such as 90s or 2m", text)
	}
	target.SetInt(int64(time.Duration(seconds) * time.Second))
	return nil
}))
