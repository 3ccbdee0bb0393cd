#!/bin/bash
# Makes the stores of this folder anew, with keytool and openssl. The tests read what is committed; password of all is "pass word".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -f ./*.jks ./*.p12 ./*.pem
pass='pass word' days=36500
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/ca.key" -out ca.pem -days $days -subj "/O=Test/CN=Test CA" 2>/dev/null
issue() { # issue NAME KEYARGS...
  openssl req -new -newkey "${@:2}" -nodes -keyout "$tmp/$1.key" -out "$tmp/$1.csr" -subj "/C=DE/O=Acme, Inc/CN=$1" 2>/dev/null
  openssl x509 -req -in "$tmp/$1.csr" -CA ca.pem -CAkey "$tmp/ca.key" -CAcreateserial -CAserial "$tmp/serial" -days $days -out "$tmp/$1.pem" \
    -extfile <(printf 'subjectAltName=DNS:localhost,DNS:*.example.com,IP:127.0.0.1,IP:::1\n') 2>/dev/null
}
issue rsa rsa:2048
issue ec ec -pkeyopt ec_paramgen_curve:P-256
# PEM: plain, with certificates after the key, encrypted in several ways.
cat "$tmp/rsa.pem" ca.pem "$tmp/rsa.key" >key-rsa.pem
cat "$tmp/ec.key" ca.pem "$tmp/ec.pem" >key-ec.pem # the chain in disorder
encrypted() { openssl pkcs8 -topk8 -in "$tmp/rsa.key" -passout "pass:$pass" "${@:2}" | cat "$tmp/rsa.pem" ca.pem - >"key-$1.pem"; }
encrypted aes256-sha256 -v2 aes-256-cbc -v2prf hmacWithSHA256
encrypted aes128-sha1 -v2 aes-128-cbc -v2prf hmacWithSHA1
encrypted aes192-sha512 -v2 aes-192-cbc -v2prf hmacWithSHA512
encrypted 3des -v1 PBE-SHA1-3DES
encrypted scrypt -scrypt
(openssl rsa -in "$tmp/rsa.key" -traditional 2>/dev/null; cat "$tmp/rsa.pem" ca.pem) >key-pkcs1.pem
cat "$tmp/ec.pem" "$tmp/rsa.key" >key-mismatch.pem
# PKCS12 by openssl, with the algorithms of today and of OpenSSL 1.
openssl pkcs12 -export -in "$tmp/rsa.pem" -inkey "$tmp/rsa.key" -certfile ca.pem -name server -passout "pass:$pass" -out key-openssl.p12
openssl pkcs12 -export -legacy -in "$tmp/rsa.pem" -inkey "$tmp/rsa.key" -certfile ca.pem -name server -passout "pass:$pass" -out key-openssl-old.p12
openssl pkcs12 -export -in "$tmp/ec.pem" -inkey "$tmp/ec.key" -certfile ca.pem -name server -passout "pass:$pass" -out "$tmp/ec.p12"
# keytool: JKS, PKCS12 of today (also under the name .jks, which Java reads) and of Java 8.
import() { keytool -importkeystore -noprompt -srckeystore "$1" -srcstoretype PKCS12 -srcstorepass "$pass" -destkeystore "$2" -deststorepass "$pass" "${@:3}" 2>/dev/null; }
import key-openssl.p12 key-rsa.jks -deststoretype JKS
import "$tmp/ec.p12" key-ec.jks -deststoretype JKS
import key-openssl.p12 key-keytool.p12 -deststoretype PKCS12
import key-openssl.p12 key-keytool-old.p12 -deststoretype PKCS12 -J-Dkeystore.pkcs12.legacy
cp key-keytool.p12 key-pkcs12-inside.jks
trust() { keytool -importcert -noprompt -alias ca -file ca.pem -keystore "$1" -storepass "$pass" "${@:2}" 2>/dev/null; }
trust trust.jks -storetype JKS
trust trust.p12 -storetype PKCS12
trust trust-old.p12 -storetype PKCS12 -J-Dkeystore.pkcs12.legacy
# Two of them, a key that is not to be trusted, and text around.
cp key-rsa.jks trust-with-key.jks
trust trust-with-key.jks -storetype JKS
(echo 'Some text.'; openssl x509 -in ca.pem -text; cat "$tmp/ec.pem") >trust-two.pem
chmod 644 ./*.jks ./*.p12 ./*.pem
