// The OpenTelemetry Collector's own OTLP receiver, with nothing behind it: what it takes goes to standard output, one JSON document of OTLP a line.
// Usage: otlp-receiver 127.0.0.1:0. The first line is the address it listens on.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

var mutex sync.Mutex

func write(line []byte, err error) error {
	if err != nil {
		return err
	}
	mutex.Lock()
	defer mutex.Unlock()
	_, err = fmt.Fprintf(os.Stdout, "%s\n", line)
	return err
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address string) error {
	// The receiver does not tell the port that it was given, so a free one is looked for first.
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	address = listener.Addr().String()
	listener.Close()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}}
	if err := confmap.NewFromStringMap(settings).Unmarshal(&config); err != nil {
		return err
	}
	logs, err := consumer.NewLogs(func(_ context.Context, one plog.Logs) error {
		return write((&plog.JSONMarshaler{}).MarshalLogs(one))
	})
	if err != nil {
		return err
	}
	traces, err := consumer.NewTraces(func(_ context.Context, one ptrace.Traces) error {
		return write((&ptrace.JSONMarshaler{}).MarshalTraces(one))
	})
	if err != nil {
		return err
	}
	metrics, err := consumer.NewMetrics(func(_ context.Context, one pmetric.Metrics) error {
		return write((&pmetric.JSONMarshaler{}).MarshalMetrics(one))
	})
	if err != nil {
		return err
	}
	receiverSettings := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	var parts []component.Component
	for _, make := range []func() (component.Component, error){
		func() (component.Component, error) { return factory.CreateLogs(ctx, receiverSettings, config, logs) },
		func() (component.Component, error) { return factory.CreateTraces(ctx, receiverSettings, config, traces) },
		func() (component.Component, error) { return factory.CreateMetrics(ctx, receiverSettings, config, metrics) },
	} {
		part, err := make()
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	for _, part := range parts {
		if err := part.Start(ctx, componenttest.NewNopHost()); err != nil {
			return err
		}
	}
	if err := write([]byte(address), nil); err != nil {
		return err
	}
	<-ctx.Done()
	for _, part := range parts {
		if err := part.Shutdown(context.Background()); err != nil {
			return err
		}
	}
	return nil
}
