//! The PROXY protocol, version 2, binary: a load balancer tells whose connection it hands on.
//!
//! Only balancers of configured networks are listened to, and from those the header must come: who could leave it out
//! could also make one up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses and further fields at most; the protocol's own advice is 536 bytes in all.
const REST_MAX: usize = 2048;

/// Reads the header and nothing more. `None` where the balancer speaks for itself (health checks).
///
/// # Errors
/// `InvalidData` when it is not such a header, or the connection's own trouble.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if head[..12] != SIGNATURE || head[12] >> 4 != 2 || length > REST_MAX {
        return Err(wrong("no PROXY header of version 2"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    client(head[12] & 15, head[13], &rest)
}

fn client(command: u8, family: u8, rest: &[u8]) -> io::Result<Option<IpAddr>> {
    match (command, family >> 4) {
        (0, _) => Ok(None),
        (1, 1) => {
            let source: [u8; 4] = rest.get(..4).and_then(|b| b.try_into().ok()).ok_or_else(short)?;
            Ok(Some(IpAddr::V4(Ipv4Addr::from(source))))
        }
        (1, 2) => {
            let source: [u8; 16] = rest.get(..16).and_then(|b| b.try_into().ok()).ok_or_else(short)?;
            Ok(Some(IpAddr::V6(Ipv6Addr::from(source)).to_canonical()))
        }
        _ => Err(wrong("a PROXY header of another family than TCP over IP")),
    }
}

fn short() -> io::Error {
    wrong("a PROXY header without its addresses")
}

fn wrong(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as HAProxy writes it.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
    }

    async fn check(bytes: &[u8], expected: Result<Option<&str>, io::ErrorKind>) {
        let mut stream = bytes;
        let found = read(&mut stream).await.map_err(|e| e.kind());
        assert_eq!(found, expected.map(|ip| ip.map(|ip| ip.parse().unwrap())), "{bytes:?}");
    }

    #[tokio::test]
    async fn headers() {
        let v4 = [192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0x02, 0x4b];
        check(&header(1, 0x11, &v4), Ok(Some("192.0.2.7"))).await;
        check(&header(1, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()), Ok(Some("192.0.2.7"))).await;
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        let IpAddr::V6(v6) = v6 else { unreachable!() };
        let v6 = [&v6.octets()[..], &[0; 20]].concat();
        check(&header(1, 0x21, &v6), Ok(Some("2001:db8::7"))).await;
        check(&header(0, 0, &[]), Ok(None)).await;
        check(&header(1, 0x11, &v4[..3]), Err(io::ErrorKind::InvalidData)).await;
        check(&header(1, 0x31, &[0; 216]), Err(io::ErrorKind::InvalidData)).await;
        check(&header(1, 0x11, &[0; REST_MAX + 1]), Err(io::ErrorKind::InvalidData)).await;
        check(b"EHLO client.example\r\n", Err(io::ErrorKind::InvalidData)).await;
        check(b"PROXY", Err(io::ErrorKind::UnexpectedEof)).await;
    }

    #[tokio::test]
    async fn what_follows_is_left_alone() {
        let bytes = [header(0, 0, &[1, 2, 3]), b"EHLO".to_vec()].concat();
        let mut stream = &bytes[..];
        read(&mut stream).await.unwrap();
        assert_eq!(stream, b"EHLO");
    }
}
