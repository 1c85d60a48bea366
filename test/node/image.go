// SPDX-License-Identifier: Apache-2.0

package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
)

// image describes an image with one static binary.
type image struct {
	name       string   // with a domain and a tag
	binary     string   // path on this machine
	entrypoint []string // the first is the path in the image
	user       string   // empty for root
}

// write writes the image in the layout of the OCI, as a tar that containerd imports.
func (i image) write(file string) error {
	binary, err := os.ReadFile(i.binary)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	type object = map[string]any
	w := &archive{w: tar.NewWriter(out)}
	var layer bytes.Buffer
	l := &archive{w: tar.NewWriter(&layer)}
	l.add(i.entrypoint[0][1:], 0o755, binary)
	l.close()
	root := w.blob("application/vnd.oci.image.layer.v1.tar", layer.Bytes())
	config := w.blob("application/vnd.oci.image.config.v1+json", w.json(object{
		"architecture": runtime.GOARCH, "os": "linux", "config": object{"Entrypoint": i.entrypoint, "User": i.user},
		"rootfs": object{"type": "layers", "diff_ids": []any{root["digest"]}},
	}))
	manifest := w.blob("application/vnd.oci.image.manifest.v1+json", w.json(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config, "layers": []any{root},
	}))
	manifest["annotations"] = object{"io.containerd.image.name": i.name}
	w.add("oci-layout", 0o644, w.json(object{"imageLayoutVersion": "1.0.0"}))
	w.add("index.json", 0o644, w.json(object{"schemaVersion": 2, "manifests": []any{manifest}}))
	w.close()
	return errors.Join(l.err, w.err)
}

// archive writes a tar; err is the first error.
type archive struct {
	w   *tar.Writer
	err error
}

func (a *archive) add(name string, mode int64, content []byte) {
	if a.err == nil {
		a.err = a.w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))})
	}
	if a.err == nil {
		_, a.err = io.Copy(a.w, bytes.NewReader(content))
	}
}

func (a *archive) close() {
	if a.err == nil {
		a.err = a.w.Close()
	}
}

// blob adds a file under its digest, and returns its descriptor.
func (a *archive) blob(mediaType string, content []byte) map[string]any {
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	a.add("blobs/sha256/"+digest, 0o644, content)
	return map[string]any{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(content)}
}

func (a *archive) json(v any) []byte {
	b, err := json.Marshal(v)
	if a.err == nil {
		a.err = err
	}
	return b
}
