//! A DNS server over the zone, on one loopback port for UDP and TCP (RFC 1035 §4.2).

use crate::zone::{Answer, Kind, Record, Zone};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, MX, PTR, SOA, TLSA, TXT};
use hickory_proto::rr::{Name, RData, Record as Wire, RecordType};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long answers may be kept; short, since the zone changes while the demo runs.
const TTL_S: u32 = 60;
/// How long the absence of a record may be kept (RFC 2308 §5).
const NEGATIVE_TTL_S: u32 = 5;
/// Without EDNS (RFC 1035 §2.3.4).
const UDP_BYTES: usize = 512;
/// Above it fragments would be needed.
const UDP_BYTES_MAX: usize = 1232;
const TCP_CONNECTIONS_MAX: usize = 64;
const TCP_WAIT: Duration = Duration::from_secs(10);
const BIND_ATTEMPTS: usize = 20;
const ACCEPT_WAIT: Duration = Duration::from_millis(50);

/// Starts to answer at `address`; where it really is, when the port was 0.
pub(crate) async fn start(
    zone: Zone,
    address: SocketAddr,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> io::Result<SocketAddr> {
    let (udp, tcp) = bind(address).await?;
    let address = udp.local_addr()?;
    let (for_udp, for_tcp, stop_udp, stop_tcp) = (zone.clone(), zone, stop.clone(), stop.clone());
    tasks.spawn(async move { stop_udp.run_until_cancelled(serve_udp(for_udp, udp)).await });
    let connections = tasks.clone();
    tasks.spawn(
        async move { stop_tcp.clone().run_until_cancelled(serve_tcp(for_tcp, tcp, connections, stop_tcp)).await },
    );
    Ok(address)
}

/// One port for both; a port that the system chose for UDP may be taken for TCP.
async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempt = 0;
    loop {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && attempt < BIND_ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn serve_udp(zone: Zone, udp: UdpSocket) {
    let mut request = vec![0; 4096];
    loop {
        // An error here is the echo of an answer that nobody waited for any more.
        let Ok((length, from)) = udp.recv_from(&mut request).await else { continue };
        if let Some(answer) = answer(&zone, &request[..length], Way::Udp) {
            let _ = udp.send_to(&answer, from).await;
        }
    }
}

async fn serve_tcp(zone: Zone, tcp: TcpListener, tasks: TaskTracker, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = tcp.accept().await else {
            tokio::time::sleep(ACCEPT_WAIT).await;
            continue;
        };
        let (zone, stop) = (zone.clone(), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            stop.run_until_cancelled(answer_all(zone, stream)).await
        });
    }
}

/// Each message after its length (RFC 1035 §4.2.2), until the client is silent or gone.
async fn answer_all(zone: Zone, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let length = tokio::time::timeout(TCP_WAIT, stream.read_u16()).await??;
        let mut request = vec![0; usize::from(length)];
        tokio::time::timeout(TCP_WAIT, stream.read_exact(&mut request)).await??;
        let Some(answer) = answer(&zone, &request, Way::Tcp) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &answer].concat();
        tokio::time::timeout(TCP_WAIT, stream.write_all(&framed)).await??;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Udp,
    Tcp,
}

/// The answer to one message; `None` where it cannot even be read.
fn answer(zone: &Zone, request: &[u8], way: Way) -> Option<Vec<u8>> {
    let request = Message::from_vec(request).ok()?;
    if request.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut response = Message::response(request.metadata.id, request.metadata.op_code);
    response.metadata.recursion_desired = request.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    if request.metadata.op_code == OpCode::Query && request.queries.len() == 1 {
        response.add_query(request.queries[0].clone());
        fill(&mut response, zone, &request.queries[0])?;
    } else {
        response.metadata.response_code = ResponseCode::NotImp;
    }
    let offered = request.edns.as_ref().map_or(UDP_BYTES, |edns| usize::from(edns.max_payload()));
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_BYTES_MAX as u16);
        response.set_edns(edns);
    }
    let bytes = response.to_vec().ok()?;
    if way == Way::Udp && bytes.len() > offered.clamp(UDP_BYTES, UDP_BYTES_MAX) {
        return response.truncate().to_vec().ok();
    }
    Some(bytes)
}

fn fill(response: &mut Message, zone: &Zone, query: &Query) -> Option<()> {
    let records = match zone.ask(&query.name().to_ascii(), kind(query.query_type())) {
        Answer::Servfail => {
            response.metadata.response_code = ResponseCode::ServFail;
            return Some(());
        }
        Answer::NoSuchName(records) => {
            response.metadata.response_code = ResponseCode::NXDomain;
            records
        }
        Answer::Records(records) => records,
    };
    // Only aliases, or nothing: the SOA says how long that may be believed.
    if !records.iter().any(|(_, record)| !matches!(record, Record::Cname(_))) {
        response.add_authority(soa());
    }
    for (n, (owner, record)) in records.into_iter().enumerate() {
        // The name as it was asked, in its own case.
        let owner =
            if n == 0 || query.name().eq_ignore_root(&name(&owner)?) { query.name().clone() } else { name(&owner)? };
        response.add_answer(Wire::from_rdata(owner, TTL_S, data(record)?));
    }
    Some(())
}

fn soa() -> Wire {
    let root = Name::root();
    let data = SOA::new(root.clone(), root.clone(), 1, 3600, 600, 86_400, NEGATIVE_TTL_S);
    Wire::from_rdata(root, NEGATIVE_TTL_S, RData::SOA(data))
}

fn kind(wire: RecordType) -> Kind {
    match wire {
        RecordType::MX => Kind::Mx,
        RecordType::A => Kind::A,
        RecordType::AAAA => Kind::Aaaa,
        RecordType::TXT => Kind::Txt,
        RecordType::PTR => Kind::Ptr,
        RecordType::CNAME => Kind::Cname,
        RecordType::TLSA => Kind::Tlsa,
        _ => Kind::Other,
    }
}

fn data(record: Record) -> Option<RData> {
    Some(match record {
        Record::Mx { preference, host } => RData::MX(MX::new(preference, name(&host)?)),
        Record::Address(ip) => RData::from(ip),
        // A string of a TXT record has at most 255 bytes; a long one is several (RFC 6376 §3.6.2.2).
        Record::Txt(text) => RData::TXT(TXT::from_bytes(text.as_bytes().chunks(255).collect())),
        Record::Ptr(host) => RData::PTR(PTR(name(&host)?)),
        Record::Cname(target) => RData::CNAME(CNAME(name(&target)?)),
        Record::Tlsa(tlsa) => {
            RData::TLSA(TLSA::new(tlsa.usage.into(), tlsa.selector.into(), tlsa.matching.into(), tlsa.data))
        }
    })
}

fn name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}
