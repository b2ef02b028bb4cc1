//! STARTTLS, offered and demanded.

use crate::client::{Client, counts, world};
use expect_test::expect;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sandbox::{Manners, Tls};
use std::sync::Arc;
use tokio::io::BufReader;

/// Takes any certificate, as opportunistic TLS does.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn secure(client: Client) -> Client {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    let name = ServerName::try_from("mx.a.example").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, client.io.into_inner()).await.unwrap();
    Client { io: BufReader::new(Box::new(stream)), heard: client.heard }
}

#[tokio::test(start_paused = true)]
async fn required_tls() {
    let world = world(Manners { tls: Tls::Required, ..Manners::default() });
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.ask("MAIL FROM:<>").await;
    client.ask("STARTTLS").await;
    let mut client = secure(client).await;
    client.ask("MAIL FROM:<>").await;
    client.ask("EHLO b.example").await;
    client.ask("STARTTLS").await;
    client.send("ana@a.example").await;
    client.expect(expect![[r#"
        220 mx.a.example ESMTP
        250-mx.a.example greets b.example
        250-PIPELINING
        250-8BITMIME
        250-SIZE 10485760
        250-ENHANCEDSTATUSCODES
        250 STARTTLS
        530 5.7.0 Must issue a STARTTLS command first
        220 2.0.0 Ready to start TLS
        503 5.5.1 Bad sequence of commands
        250-mx.a.example greets b.example
        250-PIPELINING
        250-8BITMIME
        250-SIZE 10485760
        250 ENHANCEDSTATUSCODES
        502 5.5.1 STARTTLS is not available
        250 2.1.0 Ok
        250 2.1.5 Ok
        354 End data with <CR><LF>.<CR><LF>
        250 2.0.0 Ok: queued as 000001
    "#]]);
    assert_eq!(world.ledger.total().tls_messages, 1);
}

#[tokio::test(start_paused = true)]
async fn words_before_tls_are_thrown_away() {
    let world = world(Manners { tls: Tls::Offered, ..Manners::default() });
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.ask("STARTTLS\nMAIL FROM:<>").await;
    let mut client = secure(client).await;
    client.heard.clear();
    client.ask("NOOP").await;
    client.expect(expect![[r#"
        250 2.0.0 Ok
    "#]]);
    assert_eq!(counts(&world.ledger), "0 accepted, 1 x words between STARTTLS and TLS");
}
