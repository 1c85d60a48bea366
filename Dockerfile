# The image of the broker: one static binary. `make build` first.
FROM scratch
COPY bin/tenama-broker /tenama-broker
USER 65532:65532
ENTRYPOINT ["/tenama-broker"]
