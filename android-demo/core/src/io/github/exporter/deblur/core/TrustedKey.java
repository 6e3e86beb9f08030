package io.github.exporter.deblur.core;

import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A public key that an app trusts, as {@code exporter sign --new-key} writes it: Ed25519 or ECDSA P-256.
 *
 * <p>The cryptography is the platform's. Every Android checks ECDSA. Ed25519 came with Java 15; Android has its names
 * since API 33, and no promise that a key can be checked. So a bundle for phones is signed with ECDSA, too.
 */
public final class TrustedKey {
    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\\s]*)-----END PUBLIC KEY-----");
    private static final String ED25519 = "06032b6570"; // OID 1.3.101.112
    private static final String P256 = "06082a8648ce3d030107"; // OID 1.2.840.10045.3.1.7

    /** {@code Ed25519} or {@code ECDSA P-256}. */
    public final String algorithm;
    /** SHA-256 of the SubjectPublicKeyInfo, 64 hex digits. */
    public final String keyid;

    private final byte[] encoded;

    private TrustedKey(byte[] encoded) throws BundleException {
        this.encoded = encoded;
        String hex = Streams.hex(encoded);
        // Both identifiers stand in the first bytes, before the key itself.
        String start = hex.substring(0, Math.min(hex.length(), 60));
        if (start.contains(ED25519)) {
            algorithm = "Ed25519";
        } else if (start.contains(P256)) {
            algorithm = "ECDSA P-256";
        } else {
            throw new BundleException("a trusted key is of another kind than Ed25519 and ECDSA P-256");
        }
        keyid = Streams.sha256(encoded);
    }

    /** Every public key of {@code pem}. @throws BundleException when there is none, or one is not understood */
    public static List<TrustedKey> all(String pem) throws BundleException {
        List<TrustedKey> keys = new ArrayList<TrustedKey>();
        Matcher blocks = BLOCK.matcher(pem);
        while (blocks.find()) {
            try {
                keys.add(new TrustedKey(Base64.decode(blocks.group(1).replaceAll("\\s", ""))));
            } catch (IllegalArgumentException error) {
                throw new BundleException("a trusted key is damaged: " + error.getMessage());
            }
        }
        if (keys.isEmpty()) {
            throw new BundleException("the trusted keys hold no public key");
        }
        return keys;
    }

    /**
     * Whether the private key of this one made {@code signature} for {@code data}.
     *
     * @throws NoSuchAlgorithmException when this device cannot tell
     */
    public boolean verifies(byte[] signature, byte[] data) throws NoSuchAlgorithmException {
        boolean edwards = algorithm.equals("Ed25519");
        try {
            KeyFactory factory = KeyFactory.getInstance(edwards ? "Ed25519" : "EC");
            PublicKey key = factory.generatePublic(new X509EncodedKeySpec(encoded));
            Signature checker = Signature.getInstance(edwards ? "Ed25519" : "SHA256withECDSA");
            checker.initVerify(key);
            checker.update(data);
            return checker.verify(signature);
        } catch (NoSuchAlgorithmException error) {
            throw error;
        } catch (SignatureException error) { // not even the form of one
            return false;
        } catch (GeneralSecurityException error) {
            throw new NoSuchAlgorithmException(error);
        }
    }

    @Override
    public String toString() {
        return algorithm + " key " + keyid.substring(0, 16) + "…";
    }
}
