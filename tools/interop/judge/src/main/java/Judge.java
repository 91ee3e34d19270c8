import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import org.hl7.fhir.utilities.validation.ValidationMessage;
import org.hl7.fhir.validation.ValidationEngine;
import org.hl7.fhir.validation.instance.advisor.BasePolicyAdvisorForFullValidation;
import org.hl7.fhir.validation.service.StandAloneValidatorFetcher;
import org.hl7.fhir.validation.service.ValidateSourceParameters;
import org.hl7.fhir.validation.service.ValidationService;

/**
 * The official validators over files: {@code java -jar judge.jar (hl7|hapi) VERSION OUTPUT LIST [FOLDER…]}.
 *
 * <p>LIST names a file to check on each line; what stands in the folders is known, not checked. Each line of OUTPUT is one
 * finding, {@code {"file","severity","id","line","column","path","message"}}; a last line says how long it took. HL7's
 * engine reads its packages from ~/.fhir/packages of the Java property user.home. No terminology server is asked.
 */
public final class Judge {
  private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

  private interface Engine {
    void check(String file, PrintWriter out) throws Exception;
  }

  public static void main(String[] given) throws Exception {
    if (List.of(given).contains("-version")) {
      asCommand(List.of(given));
      return;
    }
    long start = System.nanoTime();
    List<String> folders = List.of(given).subList(4, given.length);
    Engine engine = given[0].equals("hl7") ? hl7(given[1], folders) : hapi(given[1], folders);
    long ready = System.nanoTime();
    int count = 0;
    try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(given[2])))) {
      for (String file : Files.readAllLines(Path.of(given[3]))) {
        try {
          engine.check(file, out);
        } catch (Exception | LinkageError error) {
          write(out, file, "fatal", "exception", 0, 0, "", String.valueOf(error));
        }
        count++;
      }
      Map<String, Object> last = new LinkedHashMap<>();
      last.put("files", count);
      last.put("seconds_until_ready", (ready - start) / 1e9);
      last.put("seconds", (System.nanoTime() - start) / 1e9);
      out.println(JSON.toJson(last));
    }
    System.exit(0); // threads of the libraries would keep it alive
  }

  /** As HL7's command, with those of its arguments that `ivig-fhir validate --with-hl7` gives: FILE… -version V -output F. */
  private static void asCommand(List<String> given) throws Exception {
    List<String> sources = new ArrayList<>();
    String version = "4.0.1";
    String output = null;
    for (int place = 0; place < given.size(); place++) {
      switch (given.get(place)) {
        case "-version" -> version = given.get(++place);
        case "-output" -> output = given.get(++place);
        case "-tx" -> place++;
        default -> sources.add(given.get(place));
      }
    }
    new ValidationService().validateSources(hl7Engine(version, List.of()), new ValidateSourceParameters(null, sources, output, null));
    System.exit(0);
  }

  private static void write(
      PrintWriter out, String file, String severity, String id, int line, int column, String path, String message) {
    Map<String, Object> finding = new LinkedHashMap<>();
    finding.put("file", file);
    finding.put("severity", severity);
    finding.put("id", id);
    finding.put("line", line);
    finding.put("column", column);
    finding.put("path", path);
    finding.put("message", message);
    out.println(JSON.toJson(finding));
  }

  /** HL7's engine as its command sets it up, without a terminology server. */
  private static ValidationEngine hl7Engine(String version, List<String> folders) throws Exception {
    String core = version.startsWith("5") ? "hl7.fhir.r5.core#5.0.0" : version.startsWith("4.3") ? "hl7.fhir.r4b.core#4.3.0" : "hl7.fhir.r4.core#4.0.1";
    ValidationEngine engine = new ValidationEngine.ValidationEngineBuilder()
        .withVersion(version)
        .withNoTerminologyServer()
        .withThoVersion("7.0.1")
        .withExtensionsVersion("5.3.0-ballot-tc1")
        .fromSource(core);
    engine.setTerminologyServer(null, null, null, false);
    for (String folder : folders) engine.getIgLoader().loadIg(engine.getIgs(), engine.getBinaries(), folder, true);
    StandAloneValidatorFetcher fetcher = new StandAloneValidatorFetcher(engine.getPcm(), engine.getContext(), engine);
    fetcher.setReferencePolicy(ReferenceValidationPolicy.IGNORE);
    engine.setFetcher(fetcher);
    engine.setPolicyAdvisor(fetcher);
    fetcher.setPolicyAdvisor(new BasePolicyAdvisorForFullValidation(ReferenceValidationPolicy.IGNORE, fetcher.getCheckReferencesTo()));
    engine.setAllowExampleUrls(true);
    engine.prepare();
    return engine;
  }

  private static Engine hl7(String version, List<String> folders) throws Exception {
    ValidationEngine engine = hl7Engine(version, folders);
    return (file, out) -> {
      List<ValidationMessage> messages = new ArrayList<>();
      engine.validate(Files.readAllBytes(Path.of(file)), FhirFormat.JSON, new ArrayList<>(), messages);
      for (ValidationMessage item : messages) {
        String id = item.getMessageId() == null ? "" : item.getMessageId();
        write(out, file, item.getLevel().toCode(), id, item.getLine(), item.getCol(), item.getLocation(), item.getMessage());
      }
    };
  }

  /** HAPI's validator with the definitions that it brings, HL7's terminology and what stands in the folder. */
  private static Engine hapi(String version, List<String> folders) throws Exception {
    FhirContext context = version.startsWith("5") ? FhirContext.forR5() : FhirContext.forR4();
    PrePopulatedValidationSupport loaded = new PrePopulatedValidationSupport(context);
    for (String item : folders) {
      try (Stream<Path> files = Files.list(Path.of(item))) {
        for (Path file : files.filter(Judge::defines).sorted().toList()) {
          loaded.addResource((IBaseResource) context.newJsonParser().parseResource(Files.readString(file, StandardCharsets.UTF_8)));
        }
        Path paths = Path.of(item).resolveSibling("other").resolve("xver-paths-5.0.json");
        if (Files.exists(paths)) loaded.addBinary(Files.readAllBytes(paths), paths.getFileName().toString());
      }
    }
    ValidationSupportChain chain = new ValidationSupportChain(
        loaded, // before what HAPI brings: HL7's extensions are newer than those of R4
        new DefaultProfileValidationSupport(context),
        new CommonCodeSystemsTerminologyService(context),
        new InMemoryTerminologyServerValidationSupport(context),
        new SnapshotGeneratingValidationSupport(context));
    FhirInstanceValidator module = new FhirInstanceValidator(chain);
    module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Warning);
    module.setAnyExtensionsAllowed(false);
    FhirValidator validator = context.newValidator().registerValidatorModule(module);
    return (file, out) -> {
      for (SingleValidationMessage item : validator.validateWithResult(Files.readString(Path.of(file), StandardCharsets.UTF_8)).getMessages()) {
        String id = item.getMessageId() == null ? "" : item.getMessageId();
        write(out, file, item.getSeverity().getCode(), id, item.getLocationLine() == null ? 0 : item.getLocationLine(),
            item.getLocationCol() == null ? 0 : item.getLocationCol(), item.getLocationString(), item.getMessage());
      }
    };
  }

  private static boolean defines(Path file) {
    String name = file.getFileName().toString();
    return name.matches("(CodeSystem|ValueSet|StructureDefinition|Library|PlanDefinition|ActivityDefinition)-.*[.]json");
  }
}
