// SPDX-License-Identifier: Apache-2.0

// Command image makes the container image of the broker from static binaries for Linux,
// without a container engine, and pushes it to a registry. It prints the digest of the
// image index on stdout, and nothing else.
//
// The image has one file, /tenama-broker, and no base image. The same binaries, version
// and SOURCE_DATE_EPOCH give the same digest.
//
//	image build [flags] linux/amd64=BINARY linux/arm64=BINARY…
//	image push [-insecure] FILE.oci.tar REFERENCE
//
// build writes up to two archives, because programs differ in what they accept:
//
//   - -output FILE.tar: for nodes and container engines (ctr, kind, k3s, docker, podman).
//     It has the names of the image for containerd, and a manifest.json for docker.
//   - -oci FILE.oci.tar: for registries (push, oras, skopeo). It has the SBOM as well, as
//     a referrer of the image. containerd 1.7 fails to unpack such an archive with
//     --digests, the flag that kind uses, because it takes the SBOM for an image.
//
// push and build -push authenticate with the configuration that docker, podman and
// others write (DOCKER_CONFIG, ~/.docker/config.json).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	digest, err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

func run(ctx context.Context, args []string) (v1.Hash, error) {
	if len(args) > 0 && args[0] == "build" {
		return runBuild(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "push" {
		return runPush(ctx, args[1:])
	}
	return v1.Hash{}, errors.New("usage: image build|push; see -help of each")
}

func runBuild(ctx context.Context, args []string) (v1.Hash, error) {
	flags := flag.NewFlagSet("image build", flag.ContinueOnError)
	repository := flags.String("repository", "tenama-broker", "the name of the image without its tag")
	version := flags.String("version", "dev", "the version, which is also the tag")
	sbom := flags.String("sbom", "", "an SPDX document in JSON, to attach to the image as a referrer")
	output := flags.String("output", "", "the archive for nodes and container engines, to write")
	oci := flags.String("oci", "", "the archive for registries, to write")
	ref := flags.String("push", "", "the name and tag to push the image to")
	insecure := flags.Bool("insecure", false, insecureUsage)
	if err := flags.Parse(args); err != nil {
		return v1.Hash{}, err
	}
	created, err := epoch()
	if err != nil {
		return v1.Hash{}, err
	}
	img, err := build(*repository, *version, created, flags.Args())
	if err != nil {
		return v1.Hash{}, err
	}
	if *sbom != "" {
		if err := img.attach(*sbom); err != nil {
			return v1.Hash{}, fmt.Errorf("attach %s: %w", *sbom, err)
		}
	}
	if *output != "" {
		if err := img.writeArchive(*output); err != nil {
			return v1.Hash{}, fmt.Errorf("write %s: %w", *output, err)
		}
	}
	if *oci != "" {
		if err := img.writeOCI(*oci); err != nil {
			return v1.Hash{}, fmt.Errorf("write %s: %w", *oci, err)
		}
	}
	if *ref != "" {
		return push(ctx, img.index, img.referrers, *ref, *insecure)
	}
	return img.index.Digest()
}

func runPush(ctx context.Context, args []string) (v1.Hash, error) {
	flags := flag.NewFlagSet("image push", flag.ContinueOnError)
	insecure := flags.Bool("insecure", false, insecureUsage)
	if err := flags.Parse(args); err != nil {
		return v1.Hash{}, err
	}
	if flags.NArg() != 2 {
		return v1.Hash{}, errors.New("usage: image push [-insecure] FILE.oci.tar REFERENCE")
	}
	return pushArchive(ctx, flags.Arg(0), flags.Arg(1), *insecure)
}

// epoch returns the time that the image gives for its creation. The current time would
// give each build another digest.
func epoch() (time.Time, error) {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, errors.New("set SOURCE_DATE_EPOCH to the time of the commit, in seconds")
	}
	return time.Unix(seconds, 0).UTC(), nil
}
