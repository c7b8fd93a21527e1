// A receiver of OPA's decision log API that knows no other event than OPA's own type: a field that OPA does not have, or of another type, is refused.
// What it takes goes to standard output before it is answered, one JSON document a request, its events written anew from OPA's type.
// Usage: decision-log-receiver ADDRESS AUTHORIZATION UPLOAD_SIZE_LIMIT_BYTES. The first line is the address it listens on.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/open-policy-agent/opa/v1/plugins/logs"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// event is OPA's event; its error is an interface there, which JSON cannot be read into, so it is read as what OPA puts there.
type event struct {
	logs.EventV1
	Error *topdown.Error `json:"error,omitempty"`
}

type upload struct {
	Path   string         `json:"path"`
	Bytes  int            `json:"bytes"`
	Events []logs.EventV1 `json:"events"`
}

type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

type receiver struct {
	authorization string
	limitBytes    int
	mutex         sync.Mutex
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: decision-log-receiver ADDRESS AUTHORIZATION UPLOAD_SIZE_LIMIT_BYTES")
	}
	limitBytes, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, &receiver{authorization: args[1], limitBytes: limitBytes})
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	taken, err := r.take(request)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
	case err != nil:
		refused = &refusal{http.StatusBadRequest, err.Error()}
	default:
		line, err := json.Marshal(taken)
		if err == nil {
			err = r.write(line)
		}
		if err == nil {
			return
		}
		refused = &refusal{http.StatusInternalServerError, err.Error()}
	}
	fmt.Fprintln(os.Stderr, "refused:", refused.why)
	http.Error(w, refused.why, refused.status)
}

func (r *receiver) take(request *http.Request) (*upload, error) {
	if request.Method != http.MethodPost {
		return nil, &refusal{http.StatusMethodNotAllowed, "method " + request.Method}
	}
	if request.Header.Get("Authorization") != r.authorization {
		return nil, &refusal{http.StatusUnauthorized, "authorization"}
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"} {
		if request.Header.Get(name) != value {
			return nil, &refusal{http.StatusUnsupportedMediaType, name}
		}
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if len(body) > r.limitBytes {
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("%d bytes", len(body))}
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(unzipped)
	decoder.DisallowUnknownFields()
	var events []event
	if err := decoder.Decode(&events); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the array")
	}
	taken := &upload{Path: request.URL.EscapedPath(), Bytes: len(body)}
	for _, one := range events {
		if one.Error != nil {
			one.EventV1.Error = one.Error
		}
		// What a mask policy of OPA's sees of it.
		if _, err := one.EventV1.AST(); err != nil {
			return nil, err
		}
		taken.Events = append(taken.Events, one.EventV1)
	}
	return taken, nil
}

func (r *receiver) write(line []byte) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	_, err := fmt.Printf("%s\n", line)
	return err
}
