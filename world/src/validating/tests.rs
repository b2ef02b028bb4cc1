//! Against a small name server of a root zone that is signed with a key of our own.

use super::*;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, NSEC, RRSIG};
use hickory_resolver::proto::dnssec::{DnssecSigner, PublicKeyBuf, SigningKey, crypto::Ed25519SigningKey};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::{MX, SOA, TLSA};
use hickory_resolver::proto::rr::{DNSClass, RecordSet};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;

const TTL_S: u32 = 60;
const HOUR: Duration = Duration::from_secs(3600);

/// What the server does to its answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Leaves signatures out, as many routers do.
    Strips,
    /// Changes what was signed.
    Forges,
}

struct Root {
    signer: DnssecSigner,
    key: PublicKeyBuf,
    manner: Manner,
}

impl Root {
    fn new(manner: Manner) -> Root {
        let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
        let signing = Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
        let key = signing.to_public_key().unwrap();
        let dnskey = DNSKEY::new(true, true, false, key.clone());
        Root { signer: DnssecSigner::new(dnskey, Box::new(signing), Name::root(), 2 * HOUR), key, manner }
    }

    /// One record of a name, with its signature.
    fn signed(&self, owner: &Name, data: RData) -> Vec<Record> {
        let mut set = RecordSet::with_ttl(owner.clone(), data.record_type(), TTL_S);
        set.add_rdata(data);
        let since = SystemTime::now() - HOUR;
        let rrsig = RRSIG::from_rrset(&set, DNSClass::IN, since.into(), &self.signer).unwrap();
        let signature = Record::from_rdata(owner.clone(), TTL_S, RData::DNSSEC(DNSSECRData::RRSIG(rrsig)));
        let mut records: Vec<Record> = set.records_without_rrsigs().cloned().collect();
        match self.manner {
            Manner::Honest => records.push(signature),
            Manner::Strips => {}
            Manner::Forges => {
                if let RData::TLSA(tlsa) = &mut records[0].data {
                    tlsa.cert_data[0] ^= 1;
                }
                records.push(signature);
            }
        }
        records
    }

    fn data(&self, owner: &Name, kind: RecordType) -> Option<RData> {
        Some(match (owner.to_ascii().as_str(), kind) {
            (".", RecordType::DNSKEY) => RData::DNSSEC(DNSSECRData::DNSKEY(self.signer.dnskey().clone())),
            ("a.example.", RecordType::MX) => RData::MX(MX::new(10, Name::from_ascii("mx.a.example.").unwrap())),
            ("mx.a.example.", RecordType::A) => RData::from(std::net::IpAddr::from([192, 0, 2, 1])),
            ("_25._tcp.mx.a.example.", RecordType::TLSA) => {
                RData::TLSA(TLSA::new(3.into(), 1.into(), 1.into(), vec![7; 32]))
            }
            _ => return None,
        })
    }

    fn answer(&self, request: &Message) -> Message {
        let query = request.queries[0].clone();
        let mut response = Message::response(request.metadata.id, request.metadata.op_code);
        response.metadata.recursion_available = true;
        let owner = query.name().clone();
        match self.data(&owner, query.query_type()) {
            Some(data) => response.add_answers(self.signed(&owner, data)),
            None => {
                // Each name has what it has, and the next one is its own child: so all that is missing is denied.
                let soa = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, 60);
                let kinds = [RecordType::A, RecordType::MX, RecordType::TLSA, RecordType::DNSKEY];
                let has = kinds.into_iter().filter(|kind| self.data(&owner, *kind).is_some());
                let next = owner.prepend_label("0").unwrap();
                let nsec = RData::DNSSEC(DNSSECRData::NSEC(NSEC::new_cover_self(next, has)));
                response.add_authorities(self.signed(&Name::root(), RData::SOA(soa)));
                response.add_authorities(self.signed(&owner, nsec))
            }
        };
        response.add_query(query);
        response.edns.clone_from(&request.edns);
        response
    }
}

/// A resolver that trusts the key, over a server on loopback.
async fn resolver(manner: Manner) -> ValidatingDns {
    let root = Root::new(manner);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server: SocketAddr = socket.local_addr().unwrap();
    let mut anchors = TrustAnchors::empty();
    anchors.insert(&root.key);
    tokio::spawn(async move {
        let mut request = vec![0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut request).await {
            let answer = root.answer(&Message::from_vec(&request[..length]).unwrap());
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    let timeout = Duration::from_secs(2);
    let options = DnsOptions { servers: vec![server], timeout, attempts: 1, ..DnsOptions::default() };
    ValidatingDns::trusting(&options, anchors).unwrap()
}

const TLSA_NAME: &str = "_25._tcp.mx.a.example";

#[tokio::test]
async fn what_is_signed_is_proven_and_so_is_its_absence() {
    let dns = resolver(Manner::Honest).await;
    let record = TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    assert_eq!(dns.tlsa(TLSA_NAME).await, Ok((Proof::Secure, vec![record])));
    assert_eq!(dns.mx_proof("a.example").await, Ok(Proof::Secure));
    assert_eq!(dns.address_proof("mx.a.example").await, Ok(Proof::Secure), "A is there, AAAA provably not");
    assert_eq!(dns.tlsa("_25._tcp.a.example").await, Ok((Proof::Secure, Vec::new())));
    assert_eq!(dns.mx_proof(".").await, Ok(Proof::Secure));
}

#[tokio::test]
async fn stripped_signatures_are_bogus_and_never_unsigned() {
    let dns = resolver(Manner::Strips).await;
    assert_eq!(dns.tlsa(TLSA_NAME).await, Ok((Proof::Bogus, Vec::new())));
    assert_eq!(dns.tlsa("_25._tcp.a.example").await, Ok((Proof::Bogus, Vec::new())));
    assert_eq!(dns.mx_proof("a.example").await, Ok(Proof::Bogus));
    assert_eq!(dns.address_proof("mx.a.example").await, Ok(Proof::Bogus));
    assert_eq!(dns.mx_proof(".").await, Ok(Proof::Bogus));
}

#[tokio::test]
async fn forged_records_are_bogus() {
    let dns = resolver(Manner::Forges).await;
    assert_eq!(dns.tlsa(TLSA_NAME).await, Ok((Proof::Bogus, Vec::new())));
    assert_eq!(dns.mx_proof("a.example").await, Ok(Proof::Secure), "only the TLSA record was changed");
}

#[tokio::test]
async fn silence_is_no_proof() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let timeout = Duration::from_millis(100);
    let servers = vec![socket.local_addr().unwrap()];
    let dns = ValidatingDns::new(&DnsOptions { servers, timeout, attempts: 1, ..DnsOptions::default() }).unwrap();
    assert!(dns.tlsa(TLSA_NAME).await.is_err());
}
