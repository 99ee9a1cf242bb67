// Command etcd is the store of a rehearsal's cluster: one member, nothing to configure but its directory and its address.
package main

import (
	"flag"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

func main() {
	dir := flag.String("data-dir", "", "where the data is kept")
	client := flag.String("client-url", "http://127.0.0.1:2379", "where clients connect")
	peer := flag.String("peer-url", "http://127.0.0.1:2380", "where other members would connect")
	flag.Parse()
	log.SetFlags(0)

	config := embed.NewConfig()
	config.Dir = *dir
	config.LogLevel = "warn"
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	// What a crash of the machine would lose, a rehearsal does not miss.
	config.UnsafeNoFsync = true
	config.ListenClientUrls, config.AdvertiseClientUrls = urls(*client), urls(*client)
	config.ListenPeerUrls, config.AdvertisePeerUrls = urls(*peer), urls(*peer)
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	server, err := embed.StartEtcd(config)
	if err != nil {
		log.Fatalf("cannot start etcd: %v", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		server.Close()
	case err := <-server.Err():
		log.Fatalf("etcd ended: %v", err)
	}
}

func urls(address string) []url.URL {
	parsed, err := url.Parse(address)
	if err != nil {
		log.Fatalf("cannot read the address %q: %v", address, err)
	}
	return []url.URL{*parsed}
}
