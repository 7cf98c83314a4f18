# The same static binary as everywhere: `make dist` first, then
#   docker build --build-arg BINARY=dist/paddock-linux-amd64 -t paddock .
#   docker run -p 8080:8080 -v paddock:/data paddock
# The first stage only lends what a bare image lacks: certificates, time zones, a folder for the data
# and one for temporary files, both of which belong to the user that the server runs as.
FROM debian:12-slim AS files
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata && mkdir /data /scratch

FROM scratch
ARG BINARY=dist/paddock-linux-amd64
COPY --from=files /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=files /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=files --chown=65532:65532 /data /data
COPY --from=files --chown=65532:65532 /scratch /tmp
COPY --chmod=755 ${BINARY} /paddock
USER 65532:65532
ENV PADDOCK_LISTEN=0.0.0.0:8080 PADDOCK_DATA=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/paddock"]
CMD ["serve"]
